//! The kinds of samples: their names, units and the values that can be true.

/// What a sample measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "the names are the field's own; the table below says unit and range"
)]
pub enum DataType {
    HeartRate,
    Steps,
    Distance,
    ActiveEnergyBurned,
    BasalEnergyBurned,
    BloodPressureSystolic,
    BloodPressureDiastolic,
    BloodGlucose,
    OxygenSaturation,
    BodyTemperature,
    RespiratoryRate,
    RestingHeartRate,
    Vo2Max,
    BodyMass,
    Height,
    BodyMassIndex,
    BodyFatPercentage,
}

struct Facts {
    data_type: DataType,
    name: &'static str,
    unit: &'static str,
    /// Lowest and highest valid value, both included.
    valid: (f64, f64),
}

const fn facts(
    data_type: DataType,
    name: &'static str,
    unit: &'static str,
    low: f64,
    high: f64,
) -> Facts {
    Facts { data_type, name, unit, valid: (low, high) }
}

/// In the order of the enum, so that a type is its own index.
const TABLE: [Facts; 17] = [
    facts(DataType::HeartRate, "heartRate", "count/min", 30.0, 250.0),
    facts(DataType::Steps, "steps", "count", 0.0, 100_000.0),
    facts(DataType::Distance, "distance", "m", 0.0, 100_000.0),
    facts(DataType::ActiveEnergyBurned, "activeEnergyBurned", "kcal", 0.0, 10_000.0),
    facts(DataType::BasalEnergyBurned, "basalEnergyBurned", "kcal", 0.0, 5_000.0),
    facts(DataType::BloodPressureSystolic, "bloodPressureSystolic", "mmHg", 50.0, 250.0),
    facts(DataType::BloodPressureDiastolic, "bloodPressureDiastolic", "mmHg", 30.0, 150.0),
    facts(DataType::BloodGlucose, "bloodGlucose", "mg/dL", 20.0, 600.0),
    facts(DataType::OxygenSaturation, "oxygenSaturation", "%", 0.0, 100.0),
    facts(DataType::BodyTemperature, "bodyTemperature", "degC", 30.0, 45.0),
    facts(DataType::RespiratoryRate, "respiratoryRate", "count/min", 5.0, 60.0),
    facts(DataType::RestingHeartRate, "restingHeartRate", "count/min", 0.0, 150.0),
    facts(DataType::Vo2Max, "vo2Max", "mL/(kg·min)", 10.0, 100.0),
    facts(DataType::BodyMass, "bodyMass", "kg", 20.0, 500.0),
    facts(DataType::Height, "height", "cm", 50.0, 300.0),
    facts(DataType::BodyMassIndex, "bodyMassIndex", "count", 10.0, 100.0),
    facts(DataType::BodyFatPercentage, "bodyFatPercentage", "%", 0.0, 100.0),
];

impl DataType {
    /// What a wearable sends all day, and what payloads hold unless they are asked for other types.
    pub const EVERYDAY: [Self; 9] = [
        Self::HeartRate,
        Self::Steps,
        Self::Distance,
        Self::ActiveEnergyBurned,
        Self::BloodPressureSystolic,
        Self::BloodPressureDiastolic,
        Self::BloodGlucose,
        Self::OxygenSaturation,
        Self::BodyTemperature,
    ];

    /// All types, in the order of the enum.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|facts| facts.data_type)
    }

    /// The name in payloads: `heartRate`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The unit in payloads: `count/min`.
    #[must_use]
    pub fn unit(self) -> &'static str {
        self.facts().unit
    }

    /// Lowest and highest valid value, both included, in [`DataType::unit`].
    #[must_use]
    pub fn valid(self) -> (f64, f64) {
        self.facts().valid
    }

    /// The type of a name; `None` for one that is not known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|facts| facts.name == name).map(|facts| facts.data_type)
    }

    const fn facts(self) -> &'static Facts {
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_its_own_index() {
        for (index, data_type) in DataType::all().enumerate() {
            assert_eq!(data_type as usize, index);
            assert_eq!(DataType::from_name(data_type.name()), Some(data_type));
        }
        assert_eq!(DataType::from_name("heartrate"), None);
    }
}
