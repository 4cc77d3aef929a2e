"""Each statistic against its mathematics, and against scipy on raw samples."""
