package config

import (
	"fmt"
	"regexp"

	"github.com/truechimer/truechimer/appliance/access/password"
)

// Admin is how somebody becomes the one who manages the station.
type Admin struct {
	// PasswordHash is that of the password, as appliance/access/password has it;
	// empty: whoever claims the station sets one.
	PasswordHash Secret
	// ClaimCode claims the station, or sets a lost password anew, from anywhere;
	// empty: none does.
	ClaimCode Secret
}

// codeShape is what can be read off a label and typed: 12 to 64 characters.
var codeShape = regexp.MustCompile(`^[A-Za-z0-9._-]{12,64}$`)

// admin reads the block [admin]. No mistake repeats what is in it.
func (r *reader) admin(t map[string]any) Admin {
	const path = "admin"
	var a Admin
	r.known(path, "in [admin]", t, "password_hash", "claim_code")
	if s, ok := r.text(t, path, "password_hash"); ok {
		if _, err := password.Parse(s); err != nil {
			r.atValue("admin.password_hash", wrong{"this password_hash cannot be used: " + err.Error(), "write what `appliance password` prints, in single quotation marks"})
		}
		a.PasswordHash = NewSecret(s)
	}
	if s, ok := r.text(t, path, "claim_code"); ok {
		if !codeShape.MatchString(s) {
			r.atValue("admin.claim_code", wrong{fmt.Sprintf("this claim_code has %d characters, or others than letters, digits, dots and hyphens", len(s)), "write 12 to 64 that nobody can guess"})
		}
		a.ClaimCode = NewSecret(s)
	}
	return a
}
