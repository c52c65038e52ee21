package journal

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// TestLatest takes the newest of several segments, for every target and window.
func TestLatest(t *testing.T) {
	var list []Record
	for i := range 1200 {
		list = append(list, sample(i))
	}
	j := exporting(t, list)
	all := numbers(t, j.store.Load(), "all")
	if views := j.store.Load().records.views(); len(views) < 3 {
		t.Fatalf("%d segments: the test needs several", len(views))
	}
	for _, c := range []struct {
		q Query
		n int
	}{
		{Query{}, 1}, {Query{}, 10}, {Query{}, 500}, {Query{}, 5000},
		{Query{Target: sample(3).Target.ID}, 40}, {Query{Target: "nobody"}, 10},
		{Query{To: sample(700).Time}, 30}, {Query{From: sample(1190).Time}, 30}, {Query{From: sample(1000).Time, To: sample(1005).Time}, 30},
	} {
		var want []int
		for _, i := range all {
			rec := sample(i)
			if (c.q.Target == "" || rec.Target.ID == c.q.Target) && (c.q.To.IsZero() || rec.Time.Before(c.q.To)) && !rec.Time.Before(c.q.From) {
				want = append(want, i)
			}
		}
		want = want[max(0, len(want)-c.n):]
		got, err := j.Latest(context.Background(), c.q, c.n)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%+v: %d records, want %d, %v", c, len(got), len(want), err)
		}
		for i := range got {
			if int(got[i].Offset) != want[i] || !same(&got[i]) {
				t.Fatalf("%+v: record %d is %d, want %d", c, i, got[i].Offset, want[i])
			}
		}
	}
	if got, err := j.Latest(context.Background(), Query{}, 0); len(got) != 0 || err != nil {
		t.Errorf("none are %d, %v", len(got), err)
	}
	if _, err := (&Journal{}).Latest(context.Background(), Query{}, 1); !errors.Is(err, ErrNotOpen) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := j.Latest(ended, Query{}, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestExportRollups holds the two formats against each other and against what was
// rolled up.
func TestExportRollups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, newCard(), true)
		defer s.stop()
		for minute := range 80 {
			if minute%10 == 0 {
				s.j.Put(s.silence("=a"))
			} else {
				s.ask("=a", time.Duration(minute-30)*time.Millisecond)
			}
			time.Sleep(time.Minute)
		}
		var lines, objects bytes.Buffer
		if err := s.j.ExportRollups(context.Background(), &lines, "m", CSV, Query{}); err != nil {
			t.Fatal(err)
		}
		if err := s.j.ExportRollups(context.Background(), &objects, "m", JSON, Query{}); err != nil {
			t.Fatal(err)
		}
		table, err := csv.NewReader(&lines).ReadAll()
		if err != nil || len(table) != 2 {
			t.Fatalf("%v, %v", table, err)
		}
		got := map[string]string{}
		for i, name := range table[0] {
			got[name] = table[1][i]
		}
		for name, want := range map[string]string{
			"monitor_id": "m", "target_id": "'=a", "hour": "2000-01-01T00:00:00Z", "sent": "60", "received": "54", "judged": "54",
			"offset_min_ns": "-29000000", "offset_max_ns": "29000000", "timed": "54", "delay_median_ns": "20000000", "ok": "60", "off": "0",
		} {
			if got[name] != want {
				t.Errorf("%s is %s, want %s", name, got[name], want)
			}
		}
		var object map[string]any
		if err := json.Unmarshal(objects.Bytes(), &object); err != nil {
			t.Fatal(err)
		}
		for _, name := range hourColumns {
			if _, ok := object[name]; !ok {
				t.Errorf("JSON has no %s", name)
			}
		}
		if object["target_id"] != "=a" || object["judged"] != 54.0 || object["offset_max_ns"] != 29e6 || object["verdicts"].(map[string]any)["ok"] != 60.0 {
			t.Errorf("%v", object)
		}
		refused := errors.New("refused")
		if err := s.j.ExportRollups(context.Background(), refusing{refused}, "m", CSV, Query{}); !errors.Is(err, refused) {
			t.Error(err)
		}
		if s.j.ExportRollups(context.Background(), io.Discard, "m", "xml", Query{}) == nil {
			t.Error("no such format")
		}
	})
}
