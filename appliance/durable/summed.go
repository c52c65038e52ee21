package durable

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
)

// Summed is a file of the station's own: a line that says what it is, with the
// checksum of the rest.
func Summed(head string, body []byte) []byte {
	return fmt.Appendf(nil, "%s %08x\n%s\n", head, crc32.ChecksumIEEE(body), body)
}

// Unsummed is the rest of a file, which may hold anything. most is how long the
// file may be, bytes.
func Unsummed(head string, b []byte, most int) (body []byte, err error) {
	if len(b) > most {
		return nil, fmt.Errorf("more than %d bytes", most)
	}
	first, body, ok := bytes.Cut(b, []byte("\n"))
	body = bytes.TrimSuffix(body, []byte("\n"))
	if !ok || string(first) != fmt.Sprintf("%s %08x", head, crc32.ChecksumIEEE(body)) {
		return nil, errors.New("it is damaged")
	}
	return body, nil
}
