"""Tables, trained and measured anew: `scripts/tables/mixtures`, `stacked`, `losses`, `labels` and `few`."""
