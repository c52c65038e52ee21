package bootctl

import "github.com/truechimer/truechimer/image/bootfs"

// piTryboot asks the firmware to read tryboot.txt instead of config.txt, at the
// next boot only: the flag lives in a register that any other reset clears
// (Raspberry Pi documentation, "Fail-safe OS updates (tryboot)"). The 0 is the
// partition, as it would be without an argument.
const piTryboot = "0 tryboot"

// pi boots config.txt's os_prefix; tryboot.txt names the other slot.
type pi struct {
	running         bootfs.Slot
	boot            bootfs.Device
	config, tryboot bootfs.Template
}

// PiBody is config.txt's and tryboot.txt's text: config, then os_prefix, which is
// the last because later lines win and a person's own may be included before.
func PiBody(config string) bootfs.Body {
	return bootfs.Body{Before: config + "os_prefix=", After: "/\n"}
}

func (p *pi) Current() (State, error) {
	at, err := bootfs.FindPointer(p.boot, p.config)
	if err != nil {
		return State{Running: p.running}, err
	}
	return State{Running: p.running, Committed: at.Slot, Trial: p.running != at.Slot}, nil
}

func (p *pi) TryOnce(slot bootfs.Slot) (string, error) {
	committed, err := bootfs.FindPointer(p.boot, p.config)
	if err != nil {
		return "", err
	}
	if err := mayTry(slot, committed.Slot); err != nil {
		return "", err
	}
	// It still points to the committed slot where a commit was cut short.
	if err := bootfs.SetPointer(p.boot, p.tryboot, slot); err != nil {
		return "", err
	}
	return piTryboot, nil
}

// Commit leaves both files where they are: a firmware that finds neither boots
// nothing. Between the two writes both name the new slot, which is the one that runs.
func (p *pi) Commit(slot bootfs.Slot) error {
	if err := mayCommit(slot, p.running); err != nil {
		return err
	}
	if err := bootfs.SetPointer(p.boot, p.config, slot); err != nil {
		return err
	}
	return untidy(bootfs.SetPointer(p.boot, p.tryboot, slot.Other()))
}
