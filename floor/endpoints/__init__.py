"""What the JSON door does for each of its paths; the table of them is `floor.api`."""
