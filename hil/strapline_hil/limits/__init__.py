"""What a tag on a rig is measured by: `pytest --rig rig.yaml --pyargs strapline_hil.limits`."""
