"""Ten thousand generated release histories through incidents and guard, without a database."""
