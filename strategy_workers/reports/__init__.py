"""Pages that hold all that they show: no script, no style and no font from elsewhere."""
