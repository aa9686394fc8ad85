"""`pytest --rig rig.yaml`: a rig in the hands of tests."""
