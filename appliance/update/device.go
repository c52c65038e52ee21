package update

import (
	"os"

	"github.com/truechimer/truechimer/image/bootfs"
)

// Device is a partition whose reads can be made to come from the medium.
type Device interface {
	bootfs.Device
	// Drop forgets what memory holds of it, after a Sync, so that the next reads
	// ask the medium.
	Drop() error
}

// Partition is a block device, or a file. What memory holds of it is the kernel's
// page cache of that device, which has nothing in common with the whole disk's.
type Partition struct{ *os.File }

// OpenPartition opens a partition for reading and writing.
func OpenPartition(path string) (Partition, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	return Partition{f}, err
}
