"""What proves the past of a log: undecoded rows, audits, checkpoints, proofs."""
