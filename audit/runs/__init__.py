"""The steps of a run and the commands that are made of them: the only folder that knows a Run."""
