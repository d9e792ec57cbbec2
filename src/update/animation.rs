//! Animation hints: the thing that moves on the screen, its way, the duration and the intensity.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use strum::{EnumString, IntoStaticStr};

use super::{motion::Motion, shape::UpdateShape};
use crate::event::Priority;

/// The animation of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Animation {
    /// A thing came alive.
    Pulse,
    /// A thing changed or went quiet.
    Fade,
    /// A thing goes from one to another.
    Flow,
    /// A measure moves.
    Progress,
    /// A failure.
    Flash,
    /// A thing was finished.
    Celebrate,
    /// A person must look.
    Alert,
    /// Nothing moves.
    None,
}

impl Animation {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// The duration in milliseconds: long enough to be seen, short enough to be over before the next.
    pub fn duration_ms(self) -> u32 {
        match self {
            Self::Pulse => 600,
            Self::Fade => 400,
            Self::Flow => 900,
            Self::Progress => 300,
            Self::Flash => 500,
            Self::Celebrate => 1_200,
            Self::Alert => 800,
            Self::None => 0,
        }
    }
}

/// The contract's `hint`.
#[derive(Debug, Clone)]
pub struct Hint<'a> {
    /// The kind of the thing that moves.
    pub kind: &'static str,
    /// Its id.
    pub id: &'a str,
    /// The thing or the value that it comes from.
    pub from: Option<Value>,
    /// The thing or the value that it goes to.
    pub to: Option<Value>,
    /// The finer movement, for front-ends that know it.
    pub motion: Option<Motion>,
    /// Decides the duration.
    pub animation: Animation,
    /// Decides the intensity, where none is given.
    pub priority: Priority,
    /// The intensity of a kind whose priority does not decide it.
    pub intensity: Option<f64>,
    /// In the lean shape, where nothing moves, it is only the thing.
    pub shape: UpdateShape,
}

impl Serialize for Hint<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Target<'a> {
            kind: &'static str,
            id: &'a str,
        }
        let mut out = serializer.serialize_map(None)?;
        let target = Target {
            kind: self.kind,
            id: self.id,
        };
        out.serialize_entry("target", &target)?;
        if let Some(from) = &self.from {
            out.serialize_entry("from", from)?;
        }
        if let Some(to) = &self.to {
            out.serialize_entry("to", to)?;
        }
        if let Some(motion) = self.motion {
            out.serialize_entry("motion", motion.as_str())?;
        }
        if self.shape == UpdateShape::Lean && self.animation == Animation::None {
            return out.end();
        }
        out.serialize_entry("duration_ms", &self.animation.duration_ms())?;
        let intensity = match self.priority {
            _ if self.animation == Animation::None => 0.0,
            _ if self.intensity.is_some() => self.intensity.unwrap_or_default(),
            Priority::Critical => 1.0,
            Priority::High => 0.8,
            Priority::Normal => 0.5,
            Priority::Low => 0.3,
        };
        out.serialize_entry("intensity", &intensity)?;
        out.end()
    }
}
