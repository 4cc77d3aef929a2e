"""What is true: values, statistics, windows, truth, storage."""
