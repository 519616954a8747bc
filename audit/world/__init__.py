"""The embedded calibration world, whose truth is planted."""
