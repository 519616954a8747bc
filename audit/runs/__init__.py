"""The steps of a run and the commands made of them: the only folder that knows `Run`."""
