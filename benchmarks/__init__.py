"""Side by side with what a user would pick instead: `make bench`, or `python -m benchmarks metrics|logs|traces`.

Each figure is the median of many fresh processes that ran in random order, with the 95 % interval of that median
(bootstrap over the rounds). Two quantities:

- CPU per request in process: the application is called over ASGI, without sockets, and the process's own CPU time
  (all its threads) is read before and after. Little disturbs it, so it shows a few microseconds.
- Throughput over HTTP: uvicorn on loopback, saturated by one client. The servers compared run at the same time and
  take turns of half a second, so that whatever else the machine does hits all of them alike.

`results/` has every round, RESULTS.md and `plots/` are made of it.
"""
