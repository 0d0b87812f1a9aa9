"""Results of tests side by side: figures with their differences, paired statistics, pictures of chosen samples."""
