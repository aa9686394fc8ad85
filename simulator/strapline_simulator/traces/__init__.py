"""What is done with traces: shown, compared, exported, recorded from a gateway, and played again."""
