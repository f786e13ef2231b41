"""Tables, trained and measured: `scripts/tables/mixtures`, `stacked`, `losses`, `labels` and `few`."""
