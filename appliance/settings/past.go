package settings

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/truechimer/truechimer/appliance/config"
)

const pathPast = Path + "/past"

// showPast shows the settings from before, and brings some of them back.
func (p *Pages) showPast(w http.ResponseWriter, r *http.Request) {
	past, problem := p.o.Store.Past()
	show := func(code int, problems []string) {
		type change struct {
			Number      int
			At, What    string
			Differences []Difference // that the change made
		}
		var list []change
		after := p.o.Store.Now()
		for i, x := range past {
			c := change{Number: i, At: "At a time that the station did not know", What: clean(x.What)}
			if !x.At.IsZero() {
				c.At = x.At.UTC().Format("2006-01-02 15:04 UTC")
			}
			before, err := config.Parse("settings from before", []byte(x.Text))
			if err == nil {
				c.Differences = Differences(hostless(before), hostless(after))
				after = before
			}
			list = append(list, c)
		}
		if problem != "" {
			problems = append(problems, problem)
		}
		p.show(w, r, code, "past", view{Title: "Settings from before", Problems: problems, Data: list})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	n, err := strconv.Atoi(r.PostForm.Get("number"))
	if err != nil || n < 0 || n >= len(past) || r.PostForm.Get("what") != clean(past[n].What) {
		show(http.StatusConflict, []string{"These settings are not where they were in the list: look once more."})
		return
	}
	p.propose(w, r, "back to the settings before "+strings.TrimPrefix(past[n].What, "back to the settings before "), func(c *config.Config) error {
		return bring(c, past[n].Text)
	}, show)
}

// bring makes settings of a text that holds whole ones, but for who may change the
// station: a password that was changed since must not come back with them.
func bring(c *config.Config, text string) error {
	before, err := config.Parse("the settings", []byte(text))
	if err != nil {
		return err
	}
	before.Hostname, before.Admin, before.Reset = c.Hostname, c.Admin, c.Reset
	*c = before
	return nil
}

// hostless is a configuration without what only the card's customisation gives.
func hostless(c config.Config) config.Config {
	c.Hostname = ""
	return c
}
