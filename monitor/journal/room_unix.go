//go:build linux || freebsd || darwin

package journal

import "golang.org/x/sys/unix"

// Room is what a journal may take in the file system of a directory: half of it, and
// not more than MostBytes.
func Room(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	const most = 2 * MostBytes // each factor is bounded, so that none can overflow
	return min(min(int64(s.Blocks), most)*min(int64(s.Bsize), most)/2, MostBytes), nil
}
