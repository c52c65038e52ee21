package update

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Drop is as Device demands, with posix_fadvise(2). All is dropped, and not only
// what was written: Linux keeps a folio, up to megabytes of pages, of which a part
// is named. It also keeps pages that are dirty, so they are written first.
func (p Partition) Drop() error {
	if err := p.Sync(); err != nil {
		return err
	}
	const toTheEnd = 0
	if err := unix.Fadvise(int(p.Fd()), 0, toTheEnd, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("%s: dropping cached pages: %w", p.Name(), err)
	}
	return nil
}
