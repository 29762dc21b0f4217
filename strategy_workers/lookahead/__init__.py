"""Does a strategy know the future? Its decisions must not change when what comes later is cut."""
