//! What AWS itself says it was asked: the emulator's `CloudTrail`.

use crate::{Failure, kubectl};
use std::time::{SystemTime, UNIX_EPOCH};

/// Prints the role session name of each AssumeRole since a time. The emulator gives the 50 newest of a
/// span, and the SDK sends whole seconds: the spans overlap, and each event counts once.
const ASSUMED: &str = r"
import boto3, datetime, json, math, sys
trail = boto3.client('cloudtrail', endpoint_url='http://127.0.0.1:4566', region_name='us-east-1')
since, end, seen = float(sys.argv[1]), None, {}
utc = lambda seconds: datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
while True:
    span = {'StartTime': utc(math.floor(since))}
    if end: span['EndTime'] = utc(end)
    source = [{'AttributeKey': 'EventSource', 'AttributeValue': 'sts.amazonaws.com'}]
    events = trail.lookup_events(LookupAttributes=source, **span)['Events']
    new = [e for e in events if e['EventId'] not in seen]
    seen.update((e['EventId'], e) for e in new)
    if len(events) < 50: break
    assert new, 'more events in a second than the trail gives'
    end = math.ceil(min(e['EventTime'] for e in events).timestamp()) + 1
for event in seen.values():
    asked = json.loads(event['CloudTrailEvent'])['requestParameters']
    if asked.get('Action') == 'AssumeRole' and event['EventTime'].timestamp() >= since:
        print(asked['RoleSessionName'])
";

/// A moment, from which on calls are counted.
#[derive(Clone, Copy, Debug)]
pub struct Mark(f64);

impl Mark {
    /// Now. Cluster and tests share a machine, and so a clock.
    pub fn now() -> Result<Self, Failure> {
        Ok(Self(
            SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64(),
        ))
    }

    /// The grant of each AssumeRole for a namespace that reached AWS since, denied ones too.
    pub async fn assumed(self, namespace: &str) -> Result<Vec<String>, Failure> {
        let since = self.0.to_string();
        let ask = [
            "exec",
            "-n",
            "ministack",
            "deployment/ministack",
            "--",
            "python3",
            "-c",
            ASSUMED,
            &since,
        ];
        let names = kubectl::run(&ask).await?;
        let own = format!("alter.{namespace}.");
        let grants = names.lines().filter_map(|name| name.strip_prefix(&own));
        Ok(grants.map(str::to_owned).collect())
    }
}
