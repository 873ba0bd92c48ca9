"""Small programs that stages run as steps; each imports nothing of kbimg but other tools."""
