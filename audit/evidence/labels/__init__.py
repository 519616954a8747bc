"""Labels by people: what to look at, a sheet to fill in, and the sheet read back."""
