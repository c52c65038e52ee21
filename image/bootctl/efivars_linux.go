package bootctl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// EfivarsDir is where Linux mounts the firmware's variables (kernel
// documentation, filesystems/efivarfs).
const EfivarsDir = "/sys/firmware/efi/efivars"

// Efivars are the EFI variables below a directory, which is EfivarsDir but in tests.
type Efivars string

// longestVariable is more than any variable that is read here has, in bytes.
const longestVariable = 4096

// Read is as Variables demands.
func (d Efivars) Read(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(string(d), name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One read: the firmware is asked at each.
	b := make([]byte, longestVariable)
	n, err := f.Read(b)
	if err != nil || n < 4 || n == len(b) {
		return nil, fmt.Errorf("EFI variable %s: %d bytes make no sense: %w", name, n, errors.Join(err, errors.ErrUnsupported))
	}
	return b[4:n], nil
}

// Write is as Variables demands. The kernel hands the variable to the firmware
// in one piece, which is why it must come in one write.
func (d Efivars) Write(name string, data []byte) (err error) {
	path := filepath.Join(string(d), name)
	if err := mutable(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("EFI variable: %w", err)
	}
	_, err = f.Write(append(binary.LittleEndian.AppendUint32(nil, Attributes), data...))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("EFI variable: %w", err)
	}
	back, err := d.Read(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(back, data) {
		return fmt.Errorf("EFI variable %s: the firmware did not keep what was written", name)
	}
	return nil
}

// Delete is as Variables demands.
func (d Efivars) Delete(name string) error {
	path := filepath.Join(string(d), name)
	err := mutable(path)
	if err == nil {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// mutable clears the flag by which the kernel protects variables that it does
// not know from rm -r.
func mutable(path string) error {
	const immutable = 0x10 // FS_IMMUTABLE_FL, linux/fs.h
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil && flags&immutable != 0 {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags&^immutable))
	}
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil // no such flag here
	}
	if err != nil {
		return fmt.Errorf("EFI variable %s: unprotecting it: %w", filepath.Base(path), err)
	}
	return nil
}
