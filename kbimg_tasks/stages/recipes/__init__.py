"""Steps that several stages share."""
