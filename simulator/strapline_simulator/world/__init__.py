"""The world that a tag lives in: the wearer, the sky, the cellular network, and the truth of what happened."""
