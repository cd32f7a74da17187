"""What the benchmarks share: the work, the loopback server, the client processes and the chart."""
