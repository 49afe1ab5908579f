-- Something happens in the shop every second, for as long as this runs.
SELECT count(trade()) FROM generate_series(1, 5) \watch 1
