// Package passwordtest makes hashes of passwords that cost next to nothing.
package passwordtest

import (
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/argon2"

	"github.com/truechimer/truechimer/appliance/access/password"
)

// Cheap is a hash of s, for tests alone: whoever gets hold of it has the password soon.
func Cheap(s string) password.Hash {
	const memory, time, threads = 8, 1, 1
	salt, b64 := []byte("somesalt"), base64.RawStdEncoding.EncodeToString
	h, err := password.Parse(fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, time, threads, b64(salt), b64(argon2.IDKey([]byte(s), salt, time, memory, threads, 32))))
	if err != nil {
		panic(err) // a test's own mistake
	}
	return h
}
