"""Pictures of a ranking: what was found, and why. Needs the extra [viz]."""
