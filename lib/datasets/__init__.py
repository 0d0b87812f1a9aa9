"""The engine of data sets: records, batches from rows, 2D errors, loading and mixing."""
