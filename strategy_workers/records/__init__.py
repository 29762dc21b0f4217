"""Finished runs, kept in a folder so that they can be looked up, compared and run again."""
