"""Publication: a snapshot that passed the gate, de-identified, packed, and sent where it is asked for."""
