package env

// ticks is the processor's counter, which runs at a constant rate on anything built
// since 2008. It waits for nothing: some instructions before it may end after it.
func ticks() uint64
