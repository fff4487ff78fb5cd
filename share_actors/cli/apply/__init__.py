"""Shares as a file declares them: read, compared with what there is, and made so."""
