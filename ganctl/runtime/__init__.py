"""What is about the machine: device, processes, memory, disk, terminal, signals, random numbers."""
