"""The whole path on real data, checked against values computed directly from the files."""
