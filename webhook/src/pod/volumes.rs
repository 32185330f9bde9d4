//! The pod's volumes of Alter's, and who may mount them.

use super::{
    denial::Denial,
    grant::GrantView,
    view::{Container, Mount, Volume},
};
use alter_crds::names::pod::{BROKER_VOLUME, GRANT_VOLUME_PREFIX, SHARED_VOLUME};
use alter_protocol::pod::SHARED_DIR;
use serde_json::{Value, json};

/// The helper's size, and ample room for what stands beside it.
const SIZE_LIMIT: &str = "16Mi";
/// Readable by whatever user the agent runs as; the volume is mounted into the agent alone.
const SECRET_MODE: i64 = 0o444;

/// The volume with a grant's Secret.
#[must_use]
pub fn grant_volume(grant: &str) -> String {
    format!("{GRANT_VOLUME_PREFIX}{grant}")
}

/// The volume that agent and app share.
#[must_use]
pub fn shared() -> Value {
    json!({"name": SHARED_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": SIZE_LIMIT}})
}

/// The volume of a grant. All of the Secret's keys: those of a session come and go. Where it is optional, the Secret
/// may never be there.
#[must_use]
pub fn of_grant(view: &GrantView<'_>, optional: bool) -> Value {
    let mut secret = json!({"secretName": view.secret_name(), "defaultMode": SECRET_MODE});
    if optional {
        secret["optional"] = json!(true);
    }
    json!({"name": grant_volume(view.name), "secret": secret})
}

/// Whether the volume is just what [`shared`] gives.
#[must_use]
pub fn is_shared(volume: &Volume<'_>) -> bool {
    volume.secret.is_none()
        && volume.projected.is_none()
        && volume.empty_dir.as_ref().is_some_and(|own| {
            own.medium.as_deref() == Some("Memory") && own.size_limit.as_deref() == Some(SIZE_LIMIT)
        })
}

/// Whether the volume is just what [`of_grant`] gives.
#[must_use]
pub fn is_of_grant(volume: &Volume<'_>, view: &GrantView<'_>, optional: bool) -> bool {
    volume.empty_dir.is_none()
        && volume.projected.is_none()
        && volume.secret.as_ref().is_some_and(|own| {
            own.secret_name.as_deref() == Some(&view.secret_name())
                && own.default_mode == Some(SECRET_MODE)
                && own.items.is_empty()
                && own.optional == optional
        })
}

/// The app's mount of the shared volume.
#[must_use]
pub fn app_mount() -> Value {
    json!({"name": SHARED_VOLUME, "mountPath": SHARED_DIR, "readOnly": true})
}

/// Whether a container has [`app_mount`]; denies any other mount of Alter's volumes, and any other volume
/// in its place.
pub fn has_app_mount(container: &Container<'_>, selected: bool) -> Result<bool, Denial> {
    let mut found = false;
    for mount in &container.volume_mounts {
        let shared = &*mount.name == SHARED_VOLUME;
        if selected && shared && is_app_mount(mount) {
            found = true;
        } else if shared
            || *mount.name == *BROKER_VOLUME
            || mount.name.starts_with(GRANT_VOLUME_PREFIX)
        {
            return Err(Denial::VolumeMount {
                container: container.name.to_string(),
                volume: mount.name.to_string(),
            });
        } else if selected && mount.mount_path.trim_end_matches('/') == SHARED_DIR {
            return Err(Denial::MountPath(container.name.to_string()));
        }
    }
    Ok(found)
}

fn is_app_mount(mount: &Mount<'_>) -> bool {
    let empty = |text: Option<&str>| text.is_none_or(str::is_empty);
    &*mount.mount_path == SHARED_DIR
        && mount.read_only
        && empty(mount.sub_path.as_deref())
        && empty(mount.sub_path_expr.as_deref())
        && matches!(mount.mount_propagation.as_deref(), None | Some("" | "None"))
}
