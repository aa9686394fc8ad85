"""What must hold of a run whatever fails in it: nothing lost, nothing twice, no alarm late without a reason, no alert without a cause."""
