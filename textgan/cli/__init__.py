"""The commands, one file each, loaded when called; importing any of them imports no torch."""
