"""What a plan promises, against the deciding code itself."""
