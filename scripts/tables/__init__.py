"""Published tables, trained and measured anew: `scripts/tables/mixtures`, `stacked`, `losses` and `labels`."""
