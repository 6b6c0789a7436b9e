"""Whether hospitals of the center send the same code, or the same description, to the same concept."""
