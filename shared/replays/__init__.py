"""How prints become slices, marks and candles: the same for a run on the tape and one offline."""
