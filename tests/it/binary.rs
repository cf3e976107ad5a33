//! The real program: started as a process, spoken to over sockets, killed.
