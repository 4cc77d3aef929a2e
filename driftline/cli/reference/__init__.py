"""`driftline reference`: build, learn, list, show, compare and adopt references."""
