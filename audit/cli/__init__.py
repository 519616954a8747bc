"""The verbs of the command line, a file for each kind; nothing heavy is imported at the top."""
