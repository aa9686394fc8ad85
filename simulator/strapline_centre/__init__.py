"""The reference monitoring centre: ledger, receipts, alerts."""
